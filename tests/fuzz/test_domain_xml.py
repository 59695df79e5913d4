"""Guests' XML, changed by chance: something is known of each, or it is not saved."""

from __future__ import annotations

from guestctl.host.libvirt.domain_xml import read_domain_info
from tests.unit.test_domain_xml_whatever import holds

from .chance import dice, mutated, seeds

SOUND = """<domain type='kvm' id='3'>
  <name>web</name>
  <metadata><n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>
  <os><nvram type='file'><source file='/v'/></nvram></os>
  <cpu mode='host-passthrough' migratable='off'><feature policy='require' name='invtsc'/></cpu>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/a.qcow2'/>
      <backingStore type='block'><format type='raw'/><source dev='/dev/x'/><backingStore/>
      </backingStore><dataStore type='file'><source file='/d.raw'/></dataStore></disk>
    <disk type='network'><source protocol='rbd' name='pool/image'/><shareable/></disk>
    <disk type='volume'><source pool='default' volume='b.img'/></disk>
    <interface type='hostdev'/><hostdev mode='subsystem'/>
    <filesystem><driver type='virtiofs'/></filesystem>
    <channel type='unix'><target name='org.qemu.guest_agent.0' state='connected'/></channel>
  </devices>
</domain>"""


@seeds(10_000, size=1000)
def test_whatever_libvirt_says_is_no_error(block: range) -> None:
    for seed in block:
        chance = dice(seed)
        holds(read_domain_info(mutated(SOUND, chance), mutated(SOUND, chance)))
