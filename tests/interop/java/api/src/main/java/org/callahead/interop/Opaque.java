package org.callahead.interop;

/** Not Serializable on purpose: a provider that answers with it fails while it writes the answer. */
public class Opaque {
    private final String secret = "opaque";

    public String getSecret() { return secret; }
}
