package org.callahead.interop.dubbo;

/** An interface that no provider serves: for calls to unknown services and unknown methods. */
interface Stranger {
    String noSuchMethod(String text);
}
