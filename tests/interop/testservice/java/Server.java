import io.grpc.InsecureServerCredentials;
import io.grpc.ServerInterceptors;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.testing.integration.TestServiceImpl;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/** The service of gRPC's interop tests as grpc-java has it, over Netty; prints its port, and ends with its input. */
public final class Server {
  private Server() {}

  public static void main(String[] args) throws Exception {
    var service = new TestServiceImpl(Executors.newSingleThreadScheduledExecutor());
    var address = new InetSocketAddress("127.0.0.1", 0);
    var server =
        NettyServerBuilder.forAddress(address, InsecureServerCredentials.create())
            .maxInboundMessageSize(16 << 20)
            .addService(ServerInterceptors.intercept(service, TestServiceImpl.interceptors()))
            .build()
            .start();
    System.out.println(server.getPort());
    System.in.transferTo(java.io.OutputStream.nullOutputStream());
    System.exit(0);
  }
}
