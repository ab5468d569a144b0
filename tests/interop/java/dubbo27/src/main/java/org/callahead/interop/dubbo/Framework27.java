package org.callahead.interop.dubbo;

import java.util.Map;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.RpcException;
import org.callahead.interop.service.Framework;

final class Framework27 implements Framework {
    @Override
    public Map<String, Object> requestAttachments() {
        return RpcContext.getContext().getObjectAttachments();
    }

    @Override
    public void respondWith(String key, Object value) {
        RpcContext.getServerContext().setObjectAttachment(key, value);
    }

    @Override
    public RuntimeException rpcException(int code, String message) {
        return new RpcException(code, message);
    }
}
