// The service of gRPC's interop tests as grpc-node has it, whose connections may grow old.
//
// It is given the file of the service, and how old a connection may be, in ms; it prints its port, serves until its input
// ends or SIGTERM comes, and then prints how many calls it has begun. Unlike grpc-go it ends a connection in one step: its
// goodbye says at once which stream was the last.
"use strict";

const path = require("node:path");
const libraries = path.join(process.cwd(), "node_modules");
const grpc = require(path.join(libraries, "@grpc/grpc-js"));
const loader = require(path.join(libraries, "@grpc/proto-loader"));

const [file, age] = process.argv.slice(2);
const service = grpc.loadPackageDefinition(loader.loadSync(file, { keepCase: true })).grpc.testing.TestService;
let begun = 0;

const payload = (size) => ({ payload: { body: Buffer.alloc(size) } });

function answer(call, request) {
  request.response_parameters.forEach(({ size }) => call.write(payload(size)));
}

const handlers = {
  EmptyCall: (call, done) => done(null, {}),
  UnaryCall: (call, done) => done(null, payload(call.request.response_size)),
  StreamingOutputCall: (call) => {
    answer(call, call.request);
    call.end();
  },
  StreamingInputCall: (call, done) => {
    let size = 0;
    call.on("data", (request) => (size += request.payload.body.length));
    call.on("end", () => done(null, { aggregated_payload_size: size }));
  },
  FullDuplexCall: (call) => {
    call.on("data", (request) => answer(call, request));
    call.on("end", () => call.end());
  },
};

const counted = (handle) => (...given) => {
  begun += 1;
  handle(...given);
};

const server = new grpc.Server(age ? { "grpc.max_connection_age_ms": Number(age) } : {});
server.addService(
  service.service,
  Object.fromEntries(Object.entries(handlers).map(([name, handle]) => [name, counted(handle)])),
);

function end() {
  console.log(begun);
  process.exit(0);
}

process.on("SIGTERM", () => server.tryShutdown(end));
process.stdin.on("end", end).resume();
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
