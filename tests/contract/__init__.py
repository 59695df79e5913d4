"""One suite on the Hypervisor protocol, for the simulation and for libvirt alike."""
