package org.callahead.interop;

import java.util.LinkedHashMap;
import java.util.Map;

/** A checked exception with fields of its own. */
public class BusinessException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int code;
    private final Map<String, String> details = new LinkedHashMap<>();

    public BusinessException() { this(0, null); }

    public BusinessException(int code, String message) {
        super(message);
        this.code = code;
    }

    public int getCode() { return code; }
    public Map<String, String> getDetails() { return details; }

    public BusinessException with(String key, String value) {
        details.put(key, value);
        return this;
    }
}
