# SPDX-License-Identifier: Apache-2.0
# A short front for meson. `make demo` shows it at work, `make check` proves it.

PREFIX ?= /usr/local

BUILD_PACKAGES = meson ninja-build gcc pkg-config libglib2.0-dev libxml2-dev libcurl4-openssl-dev \
	libjansson-dev libarchive-dev zlib1g-dev liblzma-dev libssl-dev libxxhash-dev libzstd-dev libmicrohttpd-dev
RUN_PACKAGES = qemu-utils e2fsprogs util-linux
CHECK_PACKAGES = libcmocka-dev bzip2 lz4 xz-utils zstd python3 python3-yaml openssl xfsprogs btrfs-progs mount clang libclang-rt-14-dev \
	clang-format-14 codespell openssh-server openssh-client iproute2 procps \
	libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-guest-agent \
	busybox-static binutils kmod moosefs-master moosefs-chunkserver moosefs-client rsync xorriso
# For QEMU guests: unpacked below build/, laid over this machine's root in guests, never installed here.
LAB_PACKAGES = lvm2 thin-provisioning-tools sudo lvm2-lockd dlm-controld corosync gfs2-utils sanlock

all: build

deps-demo:
	@tools/install-missing $(BUILD_PACKAGES) $(RUN_PACKAGES)

deps: deps-demo
	@tools/install-missing $(CHECK_PACKAGES)

deps-lab: deps
	@tools/fetch-kernel build/kernel || echo "tests with a Linux guest will be skipped"
	@tools/fetch-packages build/lab-root $(LAB_PACKAGES) || echo "tests in tests/lab will be skipped"

build:
	@[ -f build/build.ninja ] || meson setup build --prefix=$(PREFIX)
	@ninja -C build

demo: deps-demo
	@$(MAKE) --no-print-directory build
	@directory=$$(mktemp -d /var/tmp/onevol-demo-XXXXXX) && \
	    { build/onevol verify --driver reflink --directory "$$directory"; status=$$?; \
	      rm -rf "$$directory"; exit $$status; }

check: deps-lab
	@tools/check

lab: deps-lab build
	@tools/lab

fuzz: deps
	@tools/fuzz-build
	@tools/fuzz-run build-fuzz $(or $(SECONDS),30)

bench: deps build
	@/usr/bin/python3 tests/bench/bench.py build/onevol
	@/usr/bin/python3 tests/bench/bench_mfs.py build/onevol
	@/usr/bin/python3 tests/bench/bench_linstor.py build/onevol
	@/usr/bin/python3 tests/bench/bench_lvm.py build/onevol
	@/usr/bin/python3 tests/bench/bench_import.py build/onevol
	@/usr/bin/python3 tests/bench/bench_copy.py build/tests/copytool
	@ninja -C build tests/hosttool && /usr/bin/python3 tests/bench/bench_transport.py build/tests/hosttool

install: build
	meson install -C build --no-rebuild

clean:
	rm -rf build build-asan build-fuzz

.PHONY: all deps deps-demo deps-lab build demo check lab fuzz bench install clean
