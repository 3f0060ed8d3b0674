"""Hosts: where frames come from and go to, and the NVRs that read what is guarded."""
