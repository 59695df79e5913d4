# Every target does its own set-up: Debian packages (as root), then a virtual environment over
# the system's Python, so that libvirt and the other libraries are the distribution's.

VENV = .venv
PYTHON = $(VENV)/bin/python
READY = $(VENV)/.ready
# The cores share what needs no real guest; those that are done take over from the others. One
# process more than there are cores, since some tests wait.
PROCESSES := $(shell expr $$(nproc) + 1)
EXAMPLES = quick
SHARED = $(PYTHON) -m pytest -q -n $(PROCESSES) --dist worksteal --hypothesis-profile=$(EXAMPLES)
# Real guests and hosts wait much.
BESIDE = $(PYTHON) -m pytest -n $(PROCESSES) --dist loadgroup --no-loadscope-reorder
GUESTS = guests or hosts
SUITE ?= trixie
K ?=
TEST ?= tests/unit
DESTDIR ?=
PREFIX ?= /usr/local
# Whatever PREFIX is: the bus reads no other folder that is an administrator's, and polkit 122 of
# Debian 12 no other folder at all. Both watch them.
BUS = /etc/dbus-1/system.d
ACTIONS = /usr/share/polkit-1/actions

.PHONY: help setup demo test check one guests host hosts soak bench sample deb install uninstall clean

help:
	@echo "make demo    real guests preserved and brought back, before your eyes"
	@echo "make test    everything: lint, types, simulation, real guests, real hosts"
	@echo "make check   the quick part, a minute and a half: lint, types, simulation, a share of the soak;"
	@echo "             K=expr: lint, types, and all tests that match (pytest -k), the thorough too"
	@echo "make one     one file of tests: TEST=tests/unit/test_plan.py; K=expr chooses in it"
	@echo "make guests  the tests on real guests alone; K=expr chooses"
	@echo "make host    the tests on real hosts alone; SUITE=trixie and K=expr choose"
	@echo "make hosts   all of them on all three Debian generations, an hour"
	@echo "make soak    ten minutes of random hosts in the simulation, and input by the ten thousand"
	@echo "make bench   the benchmarks"
	@echo "make sample  write the sample configuration, its manual page, completions and references from tables and grammar"
	@echo "make deb     the Debian package, alone in dist/"
	@echo "make install DESTDIR= PREFIX=/usr/local"
	@echo "make uninstall, with the same: all of that but the configuration"

$(READY): tests/setup tests/requirements.txt tests/packages.txt tests/testbed/packages.txt
	tests/setup $(VENV)

setup: $(READY)

demo: $(READY)
	$(PYTHON) -m tests.demo

check: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(SHARED) -m "not ($(GUESTS))$(if $(K),, and not thorough)" -k "$(K)"
	@echo "left to make test: $(if $(K),,the thorough cases; )real guests, real hosts"

one: $(READY)
	$(PYTHON) -m pytest $(TEST) -k "$(K)"

# All of it, whatever K is.
test: override K =
test: override EXAMPLES = tests
test: check
	$(SHARED) -m "thorough and not ($(GUESTS))"
	$(BESIDE) -m "$(GUESTS)"

guests: $(READY)
	$(PYTHON) -m pytest -m guests -k "$(K)"

host: $(READY)
	$(PYTHON) -m pytest -m hosts --suite $(SUITE) -k "$(K)"

hosts: $(READY)
	$(BESIDE) -m hosts --suite bookworm --suite trixie --suite forky

bench: $(READY)
	$(PYTHON) -m bench.startup
	$(PYTHON) -m bench.thousand
	$(PYTHON) -m bench.plan
	$(PYTHON) -m bench.order
	$(PYTHON) -m bench.boot
	$(PYTHON) -m bench.preserve
	$(PYTHON) -m bench.storm
	$(PYTHON) -m bench.idle
	$(PYTHON) -m bench.host

soak: override EXAMPLES = tests
soak: $(READY)
	$(PYTHON) -m tests.soak --minutes 10
	SOAK=10 $(SHARED) tests/fuzz
	SOAK=10 $(PYTHON) -m pytest -q -m guests tests/guests/test_many_restarts.py

sample: $(READY)
	$(PYTHON) -m tools.sample > etc/guestctl/guestctl.toml
	$(PYTHON) -m tools.manual > docs/man/guestctl.toml.5
	$(PYTHON) -m tools.policy_schema > docs/reference/policy.rng
	$(PYTHON) -m tools.completions
	$(PYTHON) -m tools.dbus_reference
	$(PYTHON) -m tools.doctor_reference

# Without $(READY): the distribution's packages that debian/control names are enough.
deb:
	rm -rf dist
	packaging/build-deb dist

# Into a folder of its own, and so the same for every version of Python 3.
install:
	install -d $(DESTDIR)$(PREFIX)/bin
	find guestctl -name '*.py' -exec install -D -m 644 {} $(DESTDIR)$(PREFIX)/lib/guestctl/{} \;
	printf '#!/usr/bin/python3 -I\nimport sys\n\nsys.path.insert(0, "%s")\nfrom guestctl.cli.main import entry\n\nentry()\n' \
	    $(PREFIX)/lib/guestctl > $(DESTDIR)$(PREFIX)/bin/guestctl
	chmod 755 $(DESTDIR)$(PREFIX)/bin/guestctl
	for page in docs/man/*; do \
	    install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit; \
	done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/guestctl/examples examples/*
	find README.md docs -type f -exec install -D -m 644 {} $(DESTDIR)$(PREFIX)/share/doc/guestctl/{} \;
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/bash-completion/completions completions/guestctl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/zsh/site-functions completions/_guestctl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d completions/guestctl.fish
	install -D -m 644 -t $(DESTDIR)$(BUS) share/dbus-1/system.d/org.guestctl1.conf
	install -D -m 644 -t $(DESTDIR)$(ACTIONS) share/polkit-1/actions/org.guestctl1.policy
	install -d $(DESTDIR)/etc/guestctl/conf.d $(DESTDIR)/etc/systemd/system
	test -e $(DESTDIR)/etc/guestctl/guestctl.toml || \
	    install -m 644 etc/guestctl/guestctl.toml $(DESTDIR)/etc/guestctl
	for unit in systemd/*.service systemd/*.socket; do \
	    sed 's|/usr/bin/guestctl|$(PREFIX)/bin/guestctl|' $$unit \
	        > $(DESTDIR)/etc/systemd/system/$${unit##*/} || exit; \
	done
	install -d $(DESTDIR)/etc/libvirt/hooks/qemu.d
	sed 's|/usr/bin/guestctl|$(PREFIX)/bin/guestctl|' etc/libvirt/hooks/qemu.d/guestctl \
	    > $(DESTDIR)/etc/libvirt/hooks/qemu.d/guestctl
	chmod 755 $(DESTDIR)/etc/libvirt/hooks/qemu.d/guestctl
	for drop_in in systemd/*.service.d/*; do \
	    install -D -m 644 $$drop_in $(DESTDIR)/etc/systemd/system/$${drop_in#*/} || exit; \
	done
	case $(PREFIX)/ in /usr/*) ;; *) \
	    sed -i 's|^ExecPaths=.*|& $(PREFIX)|' $(DESTDIR)/etc/systemd/system/guestctl*.service.d/10-hardening.conf ;; \
	esac

# No guest is touched: the host stays up.  The configuration and the ledger stay.
uninstall:
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then \
	    systemctl disable --now guestctl.service; \
	    systemctl stop guestctl-guard.service guestctl-autostart.service guestctl-fallback.service \
	        guestctl-probe.socket guestctl-probe.service; \
	fi
	for unit in systemd/*.service systemd/*.socket; do \
	    rm -f $(DESTDIR)/etc/systemd/system/$${unit##*/} || exit; \
	done
	for drop_in in systemd/*.service.d/*; do \
	    rm -f $(DESTDIR)/etc/systemd/system/$${drop_in#*/} || exit; \
	    rmdir --ignore-fail-on-non-empty $(DESTDIR)/etc/systemd/system/$$(basename $${drop_in%/*}) || exit; \
	done
	for page in docs/man/*; do \
	    rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit; \
	done
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/guestctl
	rm -f $(DESTDIR)/etc/libvirt/hooks/qemu.d/guestctl
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/guestctl
	rm -f $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_guestctl
	rm -f $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/guestctl.fish
	rm -f $(DESTDIR)$(BUS)/org.guestctl1.conf $(DESTDIR)$(ACTIONS)/org.guestctl1.policy
	rm -f $(DESTDIR)$(PREFIX)/bin/guestctl
	rm -rf $(DESTDIR)$(PREFIX)/lib/guestctl
	if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	@echo "left: /etc/guestctl, and what is known of the guests in /var/lib/guestctl and /var/cache/guestctl"

clean:
	rm -rf $(VENV) build dist test-evidence .mypy_cache .ruff_cache .hypothesis *.egg-info
