"""What is around the SQL follows the tenant: each adapter with its real library."""
