package org.callahead.interop;

/** Served several times by one provider: group and version decide which one answers. */
public interface VariantService {
    /** "group/version" of the one that answers, "" for an absent part: "/", "/1.0.0", "blue/2.0.0". */
    String whoAmI();
}
