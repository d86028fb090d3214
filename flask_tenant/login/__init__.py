"""Who somebody is, who vouches for it, and to which tenants they belong."""
