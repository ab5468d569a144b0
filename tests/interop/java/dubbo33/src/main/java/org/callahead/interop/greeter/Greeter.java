package org.callahead.interop.greeter;

import org.apache.dubbo.common.stream.StreamObserver;

/**
 * The service of greeter.proto by hand: triple takes an interface whose parameters are protobuf messages as it takes a
 * generated stub, and the generator of stubs (dubbo-maven-plugin) cannot be had from every mirror of Maven Central.
 * The name of the package is the proto's, so the gRPC path is "org.callahead.interop.greeter.Greeter/SayHello".
 */
public interface Greeter {
    HelloReply SayHello(HelloRequest request);

    HelloReply Fail(FailRequest request);

    AttachmentsReply Attachments(HelloRequest request);

    void SayHelloMany(HelloRequest request, StreamObserver<HelloReply> replies);
}
