package org.callahead.interop.service;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/** The echo of attachments, the same for the Java interface and for the protobuf service. */
public final class SeenAttachments {
    private SeenAttachments() {}

    /** The request's attachments as text (bytes as "[1, 2]"); those that start "x-" are answered as "reply-" + key. */
    public static Map<String, String> of(Framework framework) {
        Map<String, String> seen = new TreeMap<>();
        framework.requestAttachments().forEach((key, value) -> {
            seen.put(key, value instanceof byte[] ? Arrays.toString((byte[]) value) : String.valueOf(value));
            if (key.startsWith("x-")) {
                framework.respondWith("reply-" + key, value);
            }
        });
        return seen;
    }
}
