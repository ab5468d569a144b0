package org.callahead.interop.service;

import java.util.Map;

/** What the services need of Dubbo; its API differs between versions, so each version's module implements this. */
public interface Framework {
    /** The attachments of the request being served. */
    Map<String, Object> requestAttachments();

    /** Adds an attachment to the response of the request being served. */
    void respondWith(String key, Object value);

    RuntimeException rpcException(int code, String message);
}
