#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Signatures by the sign-file of Debian's own build tools. What a kernel says of them is in test/own.
#
# shellcheck disable=SC2154 # build sets ko, bats sets output

bats_require_minimum_version 1.5.0
load common
load signature

setup()
{
	need_kernel
	PROFILE=$(kernel_profile)
	PATCH=$TOP/examples/meminfo-string.patch
	HASH=$(sed -n 's/^CONFIG_MODULE_SIG_HASH="\(.*\)"$/\1/p' "$PROFILE/config")
	cd "$BATS_TEST_TMPDIR" || return
	signing_key mine
}

@test "the sign-file of Debian's build tools: the signature is there, is of the key, and over all of the module" {
	[ "$HASH" = sha256 ]
	build 0 string "$PATCH"
	cp "$ko" unsigned.ko
	build 0 string --sign-key mine.key --sign-cert mine.pem "$PATCH"
	output_has '^sign     sha256, CN=kpatch test\\, mine '
	signed_by "$ko" mine.pem sha256
	cmp "$ko.unsigned" unsigned.ko
	[ "$(modinfo -F signer "$ko")" = "kpatch test, mine" ]
	[ "$(modinfo -F sig_hashalgo "$ko")" = sha256 ]
	module_sane "$ko"
	# Twice the same.
	cp "$ko" first.ko
	build 0 string --sign-key mine.key --sign-cert mine.pem "$PATCH"
	cmp "$ko" first.ko
}

@test "a key with a passphrase, and one in a token" {
	signing_token mine
	build 0 string --sign-key mine.key --sign-cert mine.pem "$PATCH"
	cp "$ko" file.ko
	openssl rsa -aes256 -passout pass:secret -in mine.key -out locked.key 2>/dev/null
	KBUILD_SIGN_PIN=secret build 0 string --sign-key locked.key --sign-cert mine.pem "$PATCH"
	cmp "$ko" file.ko
	KBUILD_SIGN_PIN=1234 build 0 string --sign-key 'pkcs11:token=kpatch;object=mine;type=private' --sign-cert mine.pem "$PATCH"
	cmp "$ko" file.ko
}

@test "a key of another kind, ECDSA" {
	openssl ecparam -name secp384r1 -genkey -noout -out ec.key
	openssl req -new -x509 -key ec.key -sha512 -subj "/CN=kpatch test, ec" -out ec.pem
	build 0 string --sign-key ec.key --sign-cert ec.pem "$PATCH"
	signed_by "$ko" ec.pem sha256
}
