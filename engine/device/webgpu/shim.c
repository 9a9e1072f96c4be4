//go:build !js

#include "shim.h"

#include <string.h>

// webgpu.h and wgpu.h of wgpu-native v0.19.4.1, as far as they are used here.
// Weak, so that this package links by itself; the binding brings the library.
#define EXTERN extern __attribute__((weak))
typedef void (*error_callback)(int32_t type, const char *message, void *userdata);
typedef void (*map_callback)(int32_t status, void *userdata);
typedef struct { void *queue; uint64_t index; } wrapped_index;
typedef void (*device_callback)(int32_t status, void *device, const char *message, void *userdata);
typedef void (*lost_callback)(int32_t reason, const char *message, void *userdata);
// WGPUSupportedLimits and WGPURequiredLimits: a chain and then the same struct,
// which is passed on unread. It has some 30 fields of at most 8 bytes.
typedef struct { const void *next; uint64_t limits[64]; } limits_chain;
typedef struct {
	const void *next;
	const char *label;
	size_t feature_count;
	const void *features;
	const limits_chain *limits;
	struct { const void *next; const char *label; } queue;
	lost_callback lost;
	void *lost_userdata;
	struct { const void *next; error_callback callback; void *userdata; } uncaptured;
} device_descriptor;
typedef struct { const void *next; uint32_t type; } chain;
typedef struct { chain chain; uint32_t backends, flags, dx12_compiler, gles_minor; const char *dxil, *dxc; } instance_extras;
EXTERN void *wgpuCreateInstance(const chain *descriptor);
EXTERN uint32_t wgpuAdapterGetLimits(void *adapter, limits_chain *limits);
EXTERN void wgpuAdapterRequestDevice(void *adapter, const device_descriptor *descriptor, device_callback, void *userdata);
EXTERN void *wgpuDeviceCreateCommandEncoder(void *device, const void *descriptor);
EXTERN void *wgpuCommandEncoderBeginComputePass(void *encoder, const void *descriptor);
EXTERN void wgpuComputePassEncoderSetPipeline(void *pass, void *pipeline);
EXTERN void wgpuComputePassEncoderSetBindGroup(void *pass, uint32_t index, void *group, size_t n, const uint32_t *offsets);
EXTERN void wgpuComputePassEncoderDispatchWorkgroups(void *pass, uint32_t x, uint32_t y, uint32_t z);
EXTERN void wgpuComputePassEncoderEnd(void *pass);
EXTERN void wgpuComputePassEncoderRelease(void *pass);
EXTERN void wgpuCommandEncoderCopyBufferToBuffer(void *encoder, void *src, uint64_t src_offset, void *dst, uint64_t dst_offset, uint64_t size);
EXTERN void *wgpuCommandEncoderFinish(void *encoder, const void *descriptor);
EXTERN void wgpuCommandEncoderRelease(void *encoder);
EXTERN void wgpuCommandBufferRelease(void *commands);
EXTERN void wgpuQueueWriteBuffer(void *queue, void *buffer, uint64_t offset, const void *data, size_t size);
EXTERN uint64_t wgpuQueueSubmitForIndex(void *queue, size_t n, void *const *commands);
EXTERN uint32_t wgpuDevicePoll(void *device, uint32_t wait, const wrapped_index *index);
EXTERN void wgpuBufferMapAsync(void *buffer, uint32_t mode, size_t offset, size_t size, map_callback, void *userdata);
EXTERN const void *wgpuBufferGetConstMappedRange(void *buffer, size_t offset, size_t size);
EXTERN void wgpuBufferUnmap(void *buffer);

enum { MAP_MODE_READ = 1 };

static void on_error(int32_t type, const char *message, void *userdata) {
	realm_fault *fault = userdata;
	if (fault->type != 0) return;
	if (message != NULL) strncpy(fault->message, message, sizeof fault->message - 1);
	__atomic_store_n(&fault->type, type, __ATOMIC_RELEASE);
}

enum { ERROR_TYPE_UNKNOWN = 4, ERROR_TYPE_DEVICE_LOST = 5 };

static void on_lost(int32_t reason, const char *message, void *userdata) {
	(void)reason;
	on_error(ERROR_TYPE_DEVICE_LOST, message, userdata);
}

typedef struct {
	void *device;
	realm_fault *fault;
} request;

static void on_device(int32_t status, void *device, const char *message, void *userdata) {
	request *r = userdata;
	if (status == 0) r->device = device;
	else on_error(ERROR_TYPE_UNKNOWN, message, r->fault);
}

enum { TYPE_INSTANCE_EXTRAS = 0x00030006, BACKENDS_PRIMARY = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5 };

void *realm_instance(void) {
	instance_extras extras;
	memset(&extras, 0, sizeof extras);
	extras.chain.type = TYPE_INSTANCE_EXTRAS;
	extras.backends = BACKENDS_PRIMARY;
	chain descriptor = {&extras, 0};
	return wgpuCreateInstance(&descriptor);
}

void *realm_open(void *adapter, realm_fault *fault) {
	limits_chain limits;
	memset(&limits, 0, sizeof limits);
	wgpuAdapterGetLimits(adapter, &limits);
	device_descriptor descriptor;
	memset(&descriptor, 0, sizeof descriptor);
	descriptor.limits = &limits;
	descriptor.lost = on_lost;
	descriptor.lost_userdata = fault;
	descriptor.uncaptured.callback = on_error;
	descriptor.uncaptured.userdata = fault;
	request r = {NULL, fault};
	wgpuAdapterRequestDevice(adapter, &descriptor, on_device, &r);
	return r.device;
}

static void on_map(int32_t status, void *userdata) {
	realm_readback *state = userdata;
	state->status = status;
	__atomic_store_n(&state->done, 1, __ATOMIC_RELEASE);
}

// Finishes and submits an encoder's commands; maps staging when size is not 0.
static void submit(void *queue, void *encoder, void *staging, size_t size, realm_readback *state) {
	void *commands = wgpuCommandEncoderFinish(encoder, NULL);
	state->done = 0;
	state->status = 0;
	state->index = wgpuQueueSubmitForIndex(queue, 1, &commands);
	wgpuCommandBufferRelease(commands);
	wgpuCommandEncoderRelease(encoder);
	if (size > 0) wgpuBufferMapAsync(staging, MAP_MODE_READ, 0, size, on_map, state);
}

void realm_submit(void *device, void *queue, const realm_dispatch *dispatches, size_t n,
	void *step, const void *data, size_t data_size,
	void *results, void *staging, size_t size, realm_readback *state) {
	if (data_size > 0) wgpuQueueWriteBuffer(queue, step, 0, data, data_size);
	void *encoder = wgpuDeviceCreateCommandEncoder(device, NULL);
	void *pass = wgpuCommandEncoderBeginComputePass(encoder, NULL);
	void *pipeline = NULL;
	for (size_t i = 0; i < n; i++) {
		const realm_dispatch *d = &dispatches[i];
		if (d->x == 0 || d->y == 0 || d->z == 0) continue;
		if (d->pipeline != pipeline) {
			pipeline = d->pipeline;
			wgpuComputePassEncoderSetPipeline(pass, pipeline);
		}
		wgpuComputePassEncoderSetBindGroup(pass, 0, d->group, 0, NULL);
		wgpuComputePassEncoderDispatchWorkgroups(pass, d->x, d->y, d->z);
	}
	wgpuComputePassEncoderEnd(pass);
	wgpuComputePassEncoderRelease(pass);
	if (size > 0) wgpuCommandEncoderCopyBufferToBuffer(encoder, results, 0, staging, 0, size);
	submit(queue, encoder, staging, size, state);
}

int realm_wait(void *device, void *queue, void *staging, size_t size, void *dst, realm_readback *state) {
	// Only for this submission: one after it may be running.
	wrapped_index index = {queue, state->index};
	wgpuDevicePoll(device, 1, &index);
	if (size == 0) return 0;
	while (!__atomic_load_n(&state->done, __ATOMIC_ACQUIRE)) wgpuDevicePoll(device, 1, &index);
	if (state->status != 0) return state->status;
	const void *mapped = wgpuBufferGetConstMappedRange(staging, 0, size);
	if (mapped != NULL) memcpy(dst, mapped, size);
	wgpuBufferUnmap(staging);
	return mapped != NULL ? 0 : -1;
}

void realm_copy(void *device, void *queue, void *src, uint64_t src_offset, void *dst, uint64_t dst_offset, uint64_t size) {
	realm_readback state;
	void *encoder = wgpuDeviceCreateCommandEncoder(device, NULL);
	wgpuCommandEncoderCopyBufferToBuffer(encoder, src, src_offset, dst, dst_offset, size);
	submit(queue, encoder, NULL, 0, &state);
}

void realm_read(void *device, void *queue, void *src, uint64_t offset, void *staging, size_t size, realm_readback *state) {
	void *encoder = wgpuDeviceCreateCommandEncoder(device, NULL);
	wgpuCommandEncoderCopyBufferToBuffer(encoder, src, offset, staging, 0, size);
	submit(queue, encoder, staging, size, state);
}
