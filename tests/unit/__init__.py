"""Tests of single modules, without guests and without a libvirt daemon."""
