package org.callahead.interop.service;

import java.util.Map;
import org.callahead.interop.AttachmentService;

final class AttachmentProvider implements AttachmentService {
    private final Framework framework;

    AttachmentProvider(Framework framework) { this.framework = framework; }

    @Override
    public Map<String, String> seen() {
        return SeenAttachments.of(framework);
    }

    @Override
    public String reply(String key, String value) {
        framework.respondWith(key, value);
        return value;
    }

    @Override
    public String replyThenFail(String message) {
        framework.respondWith("x-failed", "yes");
        throw new IllegalStateException(message);
    }
}
