package org.callahead.interop.service;

import org.callahead.interop.BusinessException;
import org.callahead.interop.ExceptionService;
import org.callahead.interop.Opaque;

final class ExceptionProvider implements ExceptionService {
    private final Framework framework;

    ExceptionProvider(Framework framework) { this.framework = framework; }

    @Override
    public String declared(int code, String message) throws BusinessException {
        throw new BusinessException(code, message).with("where", "provider").with("why", "asked for");
    }

    @Override
    public String undeclared(String message) { throw new IllegalStateException(message); }

    @Override
    public String foreign(String message) { throw new ForeignException(message); }

    @Override
    public String nested(String message) {
        BusinessException root = new BusinessException(7, "root of " + message);
        throw new IllegalStateException(message, new IllegalArgumentException("cause of " + message, root));
    }

    @Override
    public String error(String message) { throw new AssertionError(message); }

    @Override
    public String rpc(int code, String message) { throw framework.rpcException(code, message); }

    @Override
    public Object unserializable() { return new Opaque(); }
}
