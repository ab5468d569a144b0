package org.callahead.interop.dubbo;

import java.util.concurrent.atomic.AtomicLong;
import org.apache.dubbo.common.stream.StreamObserver;
import org.apache.dubbo.rpc.StatusRpcException;
import org.apache.dubbo.rpc.TriRpcStatus;
import org.callahead.interop.greeter.AttachmentsReply;
import org.callahead.interop.greeter.FailRequest;
import org.callahead.interop.greeter.Greeter;
import org.callahead.interop.greeter.HelloReply;
import org.callahead.interop.greeter.HelloRequest;
import org.callahead.interop.service.Framework;
import org.callahead.interop.service.Pause;
import org.callahead.interop.service.SeenAttachments;

final class GreeterProvider implements Greeter {
    private final AtomicLong calls = new AtomicLong();
    private final Framework framework;

    GreeterProvider(Framework framework) { this.framework = framework; }

    @Override
    public HelloReply SayHello(HelloRequest request) {
        long call = calls.incrementAndGet();
        Pause.of(request.getDelayMs());
        String greeting = "Hello, " + request.getName();
        return HelloReply.newBuilder()
                .setMessage(greeting.repeat(Math.max(1, request.getRepeat())))
                .setCalls(call)
                .build();
    }

    @Override
    public HelloReply Fail(FailRequest request) {
        switch (request.getKind()) {
            case STATUS:
                TriRpcStatus status = TriRpcStatus.fromCode(request.getCode());
                throw new StatusRpcException(status.withDescription(request.getMessage()));
            case NESTED:
                IllegalArgumentException cause =
                        new IllegalArgumentException("cause", new UnsupportedOperationException("root"));
                throw new IllegalStateException(request.getMessage(), cause);
            default:
                throw new IllegalStateException(request.getMessage());
        }
    }

    @Override
    public AttachmentsReply Attachments(HelloRequest request) {
        return AttachmentsReply.newBuilder().putAllSeen(SeenAttachments.of(framework)).build();
    }

    @Override
    public void SayHelloMany(HelloRequest request, StreamObserver<HelloReply> replies) {
        for (int index = 0; index < request.getRepeat(); index++) {
            Pause.of(request.getDelayMs());
            String message = "Hello " + index + ", " + request.getName();
            replies.onNext(HelloReply.newBuilder().setMessage(message).build());
        }
        replies.onCompleted();
    }
}
