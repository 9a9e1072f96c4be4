// A request as a program: curl, and OpenAI's clients for Python and JavaScript.

/** Parameters that OpenAI's clients know; the others go into extra_body in Python. */
const known = new Set([
  "model", "messages", "temperature", "max_tokens", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop",
  "response_format", "logprobs", "top_logprobs",
]);

/**
 * @param {"curl"|"python"|"javascript"} language
 * @param {Record<string, any>} params of a chat call
 * @param {URL} base of the API, ending in v1/
 * @param {boolean} keyed whether the server wants a key, which is never written down
 * @returns {string}
 */
export function program(language, params, base, keyed) {
  const url = base.href.replace(/\/$/, "");
  return { curl, python, javascript }[language](params, url, keyed);
}

/** @param {Record<string, any>} params @param {string} url @param {boolean} keyed */
function curl(params, url, keyed) {
  const lines = [`curl ${url}/chat/completions`];
  if (keyed) lines.push(`-H "Authorization: Bearer $REALM_API_KEY"`);
  lines.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(params, null, 2).replaceAll("'", `'\\''`)}'`);
  return lines.join(" \\\n  ") + "\n";
}

/** @param {Record<string, any>} params @param {string} url @param {boolean} keyed */
function python(params, url, keyed) {
  const usual = Object.entries(params).filter(([name]) => known.has(name));
  const extra = Object.fromEntries(Object.entries(params).filter(([name]) => !known.has(name)));
  const args = usual.map(([name, value]) => `    ${name}=${pythonValue(value, "    ")},\n`).join("");
  const key = keyed ? `os.environ["REALM_API_KEY"]` : `"none"`;
  return `${keyed ? "import os\n" : ""}from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(url)}, api_key=${key})
stream = client.chat.completions.create(
${args}    extra_body=${pythonValue(extra, "    ")},
    stream=True,
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
print()
`;
}

/**
 * Writes a value as Python does. JSON's strings are Python's.
 * @param {any} value
 * @param {string} indent
 * @returns {string}
 */
function pythonValue(value, indent) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = indent + "    ";
  const [open, close, parts] = Array.isArray(value)
    ? ["[", "]", value.map((v) => pythonValue(v, inner))]
    : ["{", "}", Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${pythonValue(v, inner)}`)];
  const short = open + parts.join(", ") + close;
  if (short.length < 60 && !short.includes("\n")) return short;
  return `${open}\n${parts.map((p) => `${inner}${p},\n`).join("")}${indent}${close}`;
}

/** @param {Record<string, any>} params @param {string} url @param {boolean} keyed */
function javascript(params, url, keyed) {
  const body = JSON.stringify({ ...params, stream: true }, null, 2).replace(/^( *)"([a-z_]\w*)":/gim, "$1$2:");
  const key = keyed ? "process.env.REALM_API_KEY" : `"none"`;
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(url)}, apiKey: ${key} });
const stream = await client.chat.completions.create(${body});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}
console.log();
`;
}
