"""A gRPC server in its own process that gives each request back; prints its port, ends when its input closes."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

PATH = "/callahead.bench.Echo/echo"


class _Echo(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        del handler_call_details
        return grpc.unary_unary_rpc_method_handler(lambda request, _: request)


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((_Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
