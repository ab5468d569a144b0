package org.callahead.interop;

import java.io.Serializable;
import java.math.BigDecimal;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** A nested value of 20 fields, as a business object has them; public fields keep it short, hessian reads fields. */
public class Wide implements Serializable {
    private static final long serialVersionUID = 1L;

    public long id;
    public int version;
    public boolean active;
    public double score;
    public String code;
    public String name;
    public String description;
    public String owner;
    public Integer quantity;
    public Long stock;
    public Boolean visible;
    public BigDecimal price;
    public Date created;
    public Date changed;
    public Color color;
    public Address address;
    public List<String> tags;
    public List<Address> branches;
    public Map<String, String> labels;
    public byte[] digest;
}
