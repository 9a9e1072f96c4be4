// Shows what the program in the worker says: lines by console.log, the exit
// status by console.info.
"use strict";

const worker = new Worker("worker.js");
worker.onmessage = ({ data }) => {
  if ("line" in data) console.log(data.line);
  else console.info(`exit status ${data.exit}`);
};
worker.onerror = (event) => {
  console.log(`${event.filename}:${event.lineno}: ${event.message}`);
  console.info("exit status 2");
};
