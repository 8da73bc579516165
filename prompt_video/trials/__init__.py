"""Many small trials trained at a time as one computation, equal to training them one by one."""
