package org.callahead.interop;

/** One method for each way in which a provider's code can fail. */
public interface ExceptionService {
    /** Throws the declared {@link BusinessException} with its code and the details "where" and "why". */
    String declared(int code, String message) throws BusinessException;

    /** Throws IllegalStateException, undeclared but a class of the JDK: it travels as it is. */
    String undeclared(String message);

    /** Throws an undeclared exception of the provider's own: Dubbo replaces it by a RuntimeException with the stack. */
    String foreign(String message);

    /** Throws IllegalStateException caused by IllegalArgumentException caused by BusinessException. */
    String nested(String message);

    /** Throws an Error, not an Exception. */
    String error(String message);

    /** Throws Dubbo's own RpcException with that code. */
    String rpc(int code, String message);

    /** Answers a value that cannot be serialized. */
    Object unserializable();
}
