package org.callahead.interop;

/** Served with a token: Dubbo's TokenFilter refuses a call without the attachment "token". */
public interface TokenService {
    String secret();
}
