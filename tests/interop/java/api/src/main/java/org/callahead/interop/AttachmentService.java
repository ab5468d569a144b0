package org.callahead.interop;

import java.util.Map;

/** Attachments in both directions. */
public interface AttachmentService {
    /** The request attachments that the provider's code sees; answers "reply-" + key for each key that starts "x-". */
    Map<String, String> seen();

    /** Sets that response attachment and answers the value. */
    String reply(String key, String value);

    /** Sets the response attachment "x-failed" to "yes", then throws IllegalStateException. */
    String replyThenFail(String message);
}
