package org.callahead.interop.service;

/** One service to export: an interface, what implements it, and under which group, version and token. */
public final class Exposed<T> {
    public final Class<T> type;
    public final T implementation;
    public final String group;
    public final String version;
    public final String token;

    private Exposed(Class<T> type, T implementation, String group, String version, String token) {
        this.type = type;
        this.implementation = implementation;
        this.group = group;
        this.version = version;
        this.token = token;
    }

    public static <T> Exposed<T> plain(Class<T> type, T implementation) {
        return new Exposed<>(type, implementation, null, null, null);
    }

    public static <T> Exposed<T> variant(Class<T> type, T implementation, String group, String version) {
        return new Exposed<>(type, implementation, group, version, null);
    }

    public static <T> Exposed<T> guarded(Class<T> type, T implementation, String token) {
        return new Exposed<>(type, implementation, null, null, token);
    }
}
