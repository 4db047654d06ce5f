# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# Homa for Linux. `make help` lists what can be made; everything lands in out/.
#
# The module is built in out/build/KEY, a tree of links to the sources, so that
# several kernels are served from one checkout and no object outlives its source.

$(if $(word 2,$(CURDIR)),$(error The kernel cannot be built in a folder with a blank in \
	its name: $(CURDIR)))

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
SEED ?= 1
TEST ?=
# The tools need numpy, which a python3 that comes first in PATH may not have.
PYTHON = $(shell for p in /usr/bin/python3 python3; do \
	"$$p" -c 'import numpy' 2>/dev/null && { echo "$$p"; exit; }; done; echo /usr/bin/python3)

utsrelease = $(KDIR)/include/generated/utsrelease.h
kernel_release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' '$(utsrelease)' 2>/dev/null)
kernel_arch = $(or $(ARCH),$(shell uname -m))
kdir_sum = $(firstword $(shell printf %s '$(KDIR)' | cksum))
KEY = $(kernel_release)-$(kernel_arch)-$(kdir_sum)$(if $(W),-w$(W))$(if $(C),-c$(C))
BUILD = out/build/$(KEY)
KMAKE = $(MAKE) --no-print-directory -C '$(KDIR)' $(if $(ARCH),ARCH=$(ARCH)) \
	M='$(CURDIR)/$(BUILD)$(1)'

.DEFAULT_GOAL := module
.PHONY: module module-path modules-locked lab-modules lab-modules-locked link-sources \
	clean-checked tools perf demo bench check check-quick check-full deps install install-libhoma install-tools \
	install-host install-source deb clean help

module: ## build homa.ko; KDIR=dir and ARCH=um pick a kernel other than the running one
	@test -e '$(utsrelease)' || { \
	echo "make: there are no kernel headers in $(KDIR)" >&2; \
	echo "make: install those of the kernel that runs (Debian's: apt-get install" >&2; \
	echo "make: linux-headers-amd64) or name a prepared tree: make KDIR=DIR" >&2; \
	exit 1; }
	@mkdir -p '$(BUILD)'
	+@flock '$(BUILD)/.lock' $(MAKE) --no-print-directory modules-locked
	@echo '$(BUILD)/homa.ko'

module-path: # print where `make module` with the same arguments puts homa.ko
	@echo '$(BUILD)/homa.ko'

# A link that leads nowhere is a source that was deleted: start the folder anew.
link-sources:
	@if [ -n "$$(find '$(BUILD)' -xtype l -print -quit)" ]; then \
		find '$(BUILD)' -mindepth 1 ! -name .lock -delete; fi
	@find Kbuild $(wildcard homa tt test/kunit) -name Kbuild -o -name '*.[ch]' | while read -r file; do \
		[ -e '$(BUILD)/'"$$file" ] && continue; \
		mkdir -p '$(BUILD)/'"$$(dirname "$$file")" && \
		ln -s '$(CURDIR)/'"$$file" '$(BUILD)/'"$$file" || exit 1; done

modules-locked: link-sources
	+@$(KMAKE) modules

lab-modules: # build the network hardware of simulated clusters; print its folder
	@mkdir -p '$(BUILD)-lab'
	+@flock '$(BUILD)-lab/.lock' $(MAKE) --no-print-directory lab-modules-locked
	@echo '$(BUILD)-lab'

lab-modules-locked:
	@for file in cloudlab/lab/kmod/* homa/homa_compat.h; do \
		ln -sf '$(CURDIR)/'"$$file" '$(BUILD)-lab/' || exit 1; done
	+@$(call KMAKE,-lab) modules

clean-checked: # forget a build, so that the next one repeats all its warnings
	@rm -rf '$(BUILD)' '$(BUILD)-lab'

tools: ## build the user programs into out/bin
	+@$(MAKE) --no-print-directory -C util OUT='$(CURDIR)/out/bin'

perf: ## build the live tools (BPF) for KDIR's kernel; BTF=FILE has its types, if need be
	+@$(MAKE) --no-print-directory -C perf KDIR='$(KDIR)' OUT='$(CURDIR)/out/bin' \
		$(if $(BTF),BTF='$(abspath $(BTF))')

demo: deps tools ## compare Homa with TCP on 8 simulated hosts; SEED=k picks the run
	@$(PYTHON) cloudlab/bin/demo --seed $(SEED)

bench: deps tools ## count the instructions of an RPC over Homa, TCP and UDP; KERNEL=6.1: there
	@$(PYTHON) perf/bench/bench $(if $(KERNEL),--kernel '$(KERNEL)') \
		$(if $(AGAINST),--against '$(AGAINST)') $(if $(RECORD),--record) \
		$(if $(ROWS),--rows '$(ROWS)')

check: deps ## run the tests that CI runs (15 minutes once its kernels are built)
	@test/run all $(TEST)

check-quick: deps ## run what fits into 3 minutes
	@test/run quick $(TEST)

check-full: deps ## run everything (hours; PART=n: the n-th hour); appends to test/results.md
	@test/run full $(TEST) $(if $(PART),--part $(PART))

deps: ## install the Debian packages that building and testing need
	@cloudlab/lab/deps

install: module install-host ## install homa.ko for KDIR's kernel, and files for its settings
	+@$(KMAKE) modules_install INSTALL_MOD_DIR=updates \
		MODLIB='$(DESTDIR)/lib/modules/$(kernel_release)'
	@$(if $(DESTDIR),:,depmod '$(kernel_release)')

install-libhoma: ## install libhoma and the manual pages (PREFIX=/usr/local, DESTDIR=)
	+@$(MAKE) --no-print-directory -C util OUT='$(CURDIR)/out/bin' install

install-tools: tools ## install the user programs (PREFIX, DESTDIR)
	@install -d '$(DESTDIR)$(PREFIX)/bin'
	@install $(wildcard out/bin/homa_[a-z]*) out/bin/cp_node out/bin/smi '$(DESTDIR)$(PREFIX)/bin'

install-host: # where modprobe, sysctl and udev look for settings
	@for kind in modprobe:homa.conf sysctl:60-homa.conf udev:60-homa.rules; do \
		place=$${kind%:*}.d; [ $$place != udev.d ] || place=udev/rules.d; \
		install -D -m 644 packaging/host/$${kind%:*}.* \
			"$(DESTDIR)$(PREFIX)/lib/$$place/$${kind#*:}" || exit 1; done

install-source: # for DKMS: what homa.ko and homa_diag.ko are made of
	@find Kbuild homa tt/*.h tt/kmod -name Kbuild -o -name '*.[ch]' | while read -r file; do \
		install -D -m 644 "$$file" \
			'$(DESTDIR)$(PREFIX)/src/homa-$(VERSION)/'"$$file" || exit 1; done

deb: ## make Debian packages in out/deb: homa-dkms, homa-utils, libhoma1, libhoma-dev
	@packaging/make_deb out/deb

clean: ## remove what was built; results in out/ stay
	@rm -rf out/build out/bin out/lib out/test

help: ## print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 14
