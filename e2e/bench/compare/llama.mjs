// Measures llama.cpp once: reads a request from standard input, prints a result.
import {readFileSync} from "node:fs";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const request = JSON.parse(readFileSync(0, "utf8"));
const seconds = () => performance.now() / 1e3;

const begin = seconds();
const llama = await getLlama({
	gpu: request.vulkan ? "vulkan" : false,
	build: "never", skipDownload: true, progressLogs: false,
	logLevel: LlamaLogLevel.error, maxThreads: request.threads,
});
const baseline = process.memoryUsage.rss();
const model = await llama.loadModel({modelPath: request.model, gpuLayers: request.vulkan ? "max" : 0});
const context = await model.createContext({
	contextSize: request.context,
	batchSize: Math.max(512, request.prompts[0].length),
	threads: request.threads,
});
const sequence = context.getSequence();

// Reads a prompt and writes the tokens after it; returns when the first token was there
// and when the last was.
async function answer(prompt) {
	await sequence.clearHistory();
	let first, count = 0;
	for await (const _ of sequence.evaluate(prompt, {temperature: 0, yieldEogToken: true})) {
		first ??= seconds();
		if (++count > request.tokens)
			break;
	}
	if (count <= request.tokens)
		throw new Error(`${count} tokens came of ${request.tokens + 1}`);
	return {first, last: seconds()};
}

const cold = await answer(request.prompts[0]);
const start = seconds();
const warm = await answer(request.prompts[1]);
console.log(JSON.stringify({
	device: request.vulkan ? (await llama.getGpuDeviceNames()).join(", ") : "cpu",
	ready: cold.first - begin,
	prefill: request.prompts[1].length / (warm.first - start),
	decode: request.tokens / (warm.last - warm.first),
	baseline,
}));
process.exit(0); // without waiting for what the package has begun
