// The JavaScript half of the WebGPU device: shim.c has the same for wgpu-native.
// See shim.go for how a page loads it. Nothing here throws into Go: what fails
// later is a promise's error, a read-back's, or an uncaptured one.
"use strict";

globalThis.realmWebGPU = (() => {
  // The adapter that the browser takes for the fastest, or null.
  async function adapter() {
    return navigator.gpu ? navigator.gpu.requestAdapter({ powerPreference: "high-performance" }) : null;
  }

  // Opens an adapter's device. More than WebGPU's defaults is asked for by the
  // limits named only, as much of them as the adapter has. fault is told of the
  // first error that no call is answerable for, and of the device's loss.
  async function open(adapter, limits, fault) {
    const requiredLimits = {};
    for (const name of limits) requiredLimits[name] = adapter.limits[name];
    const device = await adapter.requestDevice({ label: "realm", requiredLimits });
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault(); // it is told of as an error: not in the console too
      fault(`${event.error.constructor.name}: ${event.error.message}`);
    });
    device.lost.then((info) => fault(`${info.reason}: ${info.message}`));
    return device;
  }

  async function buffer(device, label, size, usage) {
    device.pushErrorScope("out-of-memory");
    const buffer = device.createBuffer({ label, size, usage });
    const error = await device.popErrorScope();
    if (error) throw error;
    return buffer;
  }

  // Compiles a kernel on the browser's own threads, many at a time.
  async function pipeline(device, label, code) {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label, code });
    const [text, compiled] = await Promise.allSettled([
      device.popErrorScope(),
      device.createComputePipelineAsync({ label, layout: "auto", compute: { module, entryPoint: "main" } }),
    ]);
    if (text.value) throw text.value; // says which line
    if (compiled.reason) throw compiled.reason;
    return compiled.value;
  }

  // Binds ranges of buffers, three arguments each, in the order of their numbers.
  function group(device, pipeline, ...ranges) {
    const entries = [];
    for (let i = 0; i < ranges.length; i += 3) {
      entries.push({ binding: i / 3, resource: { buffer: ranges[i], offset: ranges[i + 1], size: ranges[i + 2] } });
    }
    return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  }

  // The dispatches of a program. sizes has the workgroups of each, three numbers
  // of 32 bits in bytes; a dispatch with a zero is passed over.
  function recording(n) {
    const sizes = new Uint32Array(3 * n);
    return { pipelines: new Array(n), groups: new Array(n), sizes, bytes: new Uint8Array(sizes.buffer) };
  }

  function record(recording, i, pipeline, group) {
    recording.pipelines[i] = pipeline;
    recording.groups[i] = group;
  }

  // A read-back: bytes has what came back when settled is called, with the text
  // of an error if it did not. One is started at a time.
  function readback(staging, size, settled) {
    return { staging, bytes: new Uint8Array(size), settled };
  }

  // Writes a step's data to a buffer, replays the recording in one compute pass,
  // copies size bytes of results to the read-back and starts to map it.
  function submit(device, recording, step, data, dataSize, results, size, readback) {
    const { queue } = device;
    if (dataSize > 0) queue.writeBuffer(step, 0, data, 0, dataSize);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const { pipelines, groups, sizes } = recording;
    let last;
    for (let i = 0, at = 0; i < pipelines.length; i++, at += 3) {
      const x = sizes[at], y = sizes[at + 1], z = sizes[at + 2];
      if (x === 0 || y === 0 || z === 0) continue;
      if (pipelines[i] !== last) pass.setPipeline(last = pipelines[i]);
      pass.setBindGroup(0, groups[i]);
      pass.dispatchWorkgroups(x, y, z);
    }
    pass.end();
    finish(device, encoder, results, 0, size, readback);
  }

  // Starts to read size bytes of a buffer.
  function read(device, source, offset, size, readback) {
    finish(device, device.createCommandEncoder(), source, offset, size, readback);
  }

  function finish(device, encoder, source, offset, size, readback) {
    const { queue } = device;
    const { staging, bytes, settled } = readback;
    if (size > 0) encoder.copyBufferToBuffer(source, offset, staging, 0, size);
    queue.submit([encoder.finish()]);
    const done = size > 0 ? staging.mapAsync(GPUMapMode.READ, 0, size) : queue.onSubmittedWorkDone();
    done.then(() => {
      if (size > 0) {
        bytes.set(new Uint8Array(staging.getMappedRange(0, size)));
        staging.unmap();
      }
      settled();
    }).catch((error) => settled(error.message));
  }

  // Copies between buffers, in a submission of its own.
  function copy(device, source, sourceOffset, target, targetOffset, size) {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, sourceOffset, target, targetOffset, size);
    device.queue.submit([encoder.finish()]);
  }

  return { adapter, open, buffer, pipeline, group, recording, record, readback, submit, read, copy };
})();
