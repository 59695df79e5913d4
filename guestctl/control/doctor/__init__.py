"""The doctor: what it looks at is gathered here, part by part; what that means is decided."""
