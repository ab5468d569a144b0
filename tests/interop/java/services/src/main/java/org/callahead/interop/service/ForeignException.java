package org.callahead.interop.service;

/** Not in the folder (jar) of the interface: Dubbo's ExceptionFilter must not let it travel. */
public class ForeignException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public ForeignException(String message) { super(message); }
}
