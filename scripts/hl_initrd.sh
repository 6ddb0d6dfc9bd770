# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# hl_initrd.sh - packing an initramfs; sourced by guest-image and lab-image
#
# Wants: $root, the directory to be packed; $modules, /lib/modules/VERSION of
# the kernel; die(). Modules end up in $root/modules, in order of need in
# $root/modules/order.

# make_root APPLET... - busybox and what it shall be called by
make_root()
{
	mkdir -p "$root/bin" "$root/modules" "$root/dev" "$root/proc" "$root/sys"
	cp "$busybox" "$root/bin/busybox"
	for applet in "$@"; do
		ln -s busybox "$root/bin/$applet"
	done
	: >"$root/modules/order"
}

# add_program FILE NAME - into $root/bin, with the libraries and the loader it
# needs, where it needs any
add_program()
{
	cp "$1" "$root/bin/$2"
	strip "$root/bin/$2" 2>/dev/null || :
	for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$root${library%/*}"
		[ -e "$root$library" ] || cp -L "$library" "$root$library"
	done
}

# find_module NAME - its file, nothing when it is built in
find_module()
{
	pattern=$(echo "$1" | sed 's/[-_]/[-_]/g')
	found=$(find "$modules/kernel" -name "$pattern.ko*" | head -n 1)
	if [ -z "$found" ] &&
	   ! grep -q "/$pattern\.ko" "$modules/modules.builtin"; then
		die "$modules has no module $1"
	fi
	echo "$found"
}

# add_module NAME - unpack it and what it needs, in order, into $root/modules
add_module()
{
	grep -qx "$1.ko" "$root/modules/order" && return
	file=$(find_module "$1")
	[ -n "$file" ] || return 0
	case $file in
	*.xz) xz -dc "$file" ;;
	*.zst) zstd -qdc "$file" ;;
	*.gz) gzip -dc "$file" ;;
	*) cat "$file" ;;
	esac >"$root/modules/$1.ko"
	for need in $(tr '\0' '\n' <"$root/modules/$1.ko" |
			sed -n 's/^depends=//p' | tr , ' '); do
		add_module "$need"
	done
	echo "$1.ko" >>"$root/modules/order"
}

# pack FILE - the whole of $root
pack()
{
	(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) |
		gzip -1 >"$1.$$"
	mv "$1.$$" "$1"
}

# need_tools - what packing takes; sets $busybox
need_tools()
{
	command -v cpio >/dev/null ||
		die "cpio is missing: apt-get install cpio"
	busybox=$(command -v busybox) ||
		die "busybox is missing: apt-get install busybox-static"
}
