#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: libhoma as installed, and its examples between two hosts
# lab: --hosts 2
# size: quick
# timeout: 120
. "$(dirname "$0")/lib.sh"
examples=$TOP/out/bin/examples
dir=$(mktemp -d /run/libhoma.XXXXXX)
trap 'kill $(jobs -p); rm -rf "$dir"' EXIT

# serves PORT PROGRAM ARGUMENTS...: a server on h2, which answers when this returns
serves() {
	local port=$1
	shift
	on h2 "$@" &
	for _ in $(seq 100); do
		on h1 "$examples/echo" 10.0.0.2 "$port" x >"$dir/ready" 2>&1 && return
		sleep 0.01
	done
	check "$1 starts" false
}

# says STATUS OUTPUT COMMAND...: the exit status, and what is printed
says() {
	local want_status=$1 want=$2 got status
	shift 2
	got=$("$@" 2>&1)
	status=$?
	[ "$status" = "$want_status" ] && [ "$got" = "$want" ] && return
	echo "# $*: exit status $status: $got"
	return 1
}

serves 100 "$examples/echo" server 100
check "echo over IPv4" says 0 "$(printf 'one\ntwo words')" \
	on h1 "$examples/echo" 10.0.0.2 100 one "two words"
check "echo over IPv6" says 0 "$(seq 1000)" on h1 "$examples/echo" fd00::2 100 "$(seq 1000)"
check "echo: nobody listens" says 1 "echo: x: Transport endpoint is not connected" \
	on h1 "$examples/echo" 10.0.0.2 101 x
check "echo: an empty message" says 1 "echo: : Invalid argument" \
	on h1 "$examples/echo" 10.0.0.2 100 ""

serves 200 "$examples/kv" server 200
check "kv: no such key" says 1 "kv: a: No such file or directory" \
	on h1 "$examples/kv" 10.0.0.2 200 get a
check "kv: set" says 0 "first" on h1 "$examples/kv" 10.0.0.2 200 set a first
check "kv: set again" says 0 "second" on h2 "$examples/kv" fd00::2 200 set a second
check "kv: get" says 0 "second" on h1 "$examples/kv" fd00::2 200 get a
# More than a bpage, so that it comes in pieces.
long=$(seq 20000)
check "kv: set a long value" says 0 "$long" on h1 "$examples/kv" 10.0.0.2 200 set b "$long"
check "kv: get a long value" says 0 "$long" on h1 "$examples/kv" 10.0.0.2 200 get b

mkdir "$dir/files"
serves 300 "$examples/copy" server 300 "$dir/files"
for size in 0 1 499999 500000 500001 12345678; do
	seq 2000000 | head -c "$size" >"$dir/files/$size"
	check "copy: $size bytes" on h1 "$examples/copy" fd00::2 300 "$size" "$dir/copy.$size"
	check "copy: $size bytes are the same" cmp "$dir/files/$size" "$dir/copy.$size"
done
check "copy: no such file" says 1 "copy: gone: No such file or directory" \
	on h1 "$examples/copy" 10.0.0.2 300 gone "$dir/gone"
check "copy: nothing outside the folder" says 1 "copy: ../x: No such file or directory" \
	on h1 "$examples/copy" 10.0.0.2 300 ../x "$dir/outside"

# What `make install` leaves is enough to build and run programs, both ways.
check "make install" make -s -C util OUT="$dir/bin" DESTDIR="$dir/root" PREFIX=/usr install
export PKG_CONFIG_PATH=$dir/root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dir/root
for mode in "" --static; do
	# shellcheck disable=SC2046,SC2086 # words on purpose
	check "a program with pkg-config $mode" gcc -Wall -Werror util/examples/echo.c \
		-o "$dir/echo$mode" $(pkg-config --cflags libhoma) \
		${mode:+-Wl,-Bstatic} $(pkg-config $mode --libs libhoma) ${mode:+-Wl,-Bdynamic}
done
check "shared library" says 0 "shared" env "LD_LIBRARY_PATH=$dir/root/usr/lib" \
	ip netns exec h1 "$dir/echo" 10.0.0.2 100 shared
check "static library" says 0 "static" on h1 "$dir/echo--static" 10.0.0.2 100 static
check "soname" says 0 "libhoma.so.1" sh -c \
	"LD_LIBRARY_PATH=$dir/root/usr/lib ldd $dir/echo | awk '/libhoma/ { print \$1 }'"
check "manual page" test -s "$dir/root/usr/share/man/man3/libhoma.3"
finish
