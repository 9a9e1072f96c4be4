// A step of a Program in one call out of Go, and a read-back whose state is in
// C memory: the binding's own MapAsync gives C a Go pointer that may be
// collected before the callback runs.
//
// The functions of wgpu-native that shim.c uses are in the static library that
// cogentcore/webgpu links.
#include <stddef.h>
#include <stdint.h>

// A dispatch with no workgroups is passed over.
typedef struct {
	void *pipeline, *group;
	uint32_t x, y, z;
} realm_dispatch;

// The state of one read-back. status is that of WGPUBufferMapAsyncStatus;
// index is wgpu's of the submission.
typedef struct {
	int32_t done, status;
	uint64_t index;
} realm_readback;

// The first uncaptured error of a device, or its loss, for Go to collect: type
// is that of WGPUErrorType, 0 while there was none.
typedef struct {
	int32_t type;
	char message[1024];
} realm_fault;

// Makes an instance of the primary backends: OpenGL would list the same GPU
// again. The binding leaves half of the descriptor uninitialised.
void *realm_instance(void);

// Opens an adapter's device with the limits that the adapter has, with errors
// reported to fault: wgpu aborts the process on those that nobody listens to,
// and the binding has no way to listen. Returns NULL with a message in fault.
void *realm_open(void *adapter, realm_fault *fault);

// Writes data to a buffer, runs the dispatches in one compute pass, copies
// size bytes of results to staging and starts to map it; all of it in one
// submission. size may be 0.
void realm_submit(void *device, void *queue, const realm_dispatch *dispatches, size_t n,
	void *step, const void *data, size_t data_size,
	void *results, void *staging, size_t size, realm_readback *state);

// Waits for the submission of state and copies what came back to dst.
// Returns 0, or the status that the map ended with.
int realm_wait(void *device, void *queue, void *staging, size_t size, void *dst, realm_readback *state);

// Copies between buffers, in a submission of its own.
void realm_copy(void *device, void *queue, void *src, uint64_t src_offset, void *dst, uint64_t dst_offset, uint64_t size);

// Starts to map staging after a copy, as realm_submit does.
void realm_read(void *device, void *queue, void *src, uint64_t offset, void *staging, size_t size, realm_readback *state);
