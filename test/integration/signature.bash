# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Keys to sign modules with, and what a signature says.

# signing_key NAME: NAME.key and NAME.pem, made for each other.
signing_key()
{
	openssl req -new -x509 -newkey rsa:2048 -nodes -sha512 -days 36500 -subj "/CN=kpatch test, $1" \
		-keyout "$1.key" -out "$1.pem" 2>/dev/null
}

# signing_token: a token, for SOFTHSM2_CONF in the current directory, whose PIN is 1234. It holds NAME.key, labelled NAME.
signing_token()
{
	export SOFTHSM2_CONF=$PWD/softhsm2.conf
	mkdir tokens
	printf 'directories.tokendir = %s/tokens\n' "$PWD" >"$SOFTHSM2_CONF"
	softhsm2-util --init-token --free --label kpatch --pin 1234 --so-pin 1234 >/dev/null &&
		softhsm2-util --import "$1.key" --token kpatch --label "$1" --id 01 --pin 1234 >/dev/null
}

# signature_split KO: KO.unsigned and KO.p7s, as the kernel finds them: from the end.
signature_split()
{
	local size length
	if [[ $(tail -c 28 "$1") != '~Module signature appended~' ]]; then
		echo "$1: has no signature"
		return 1
	fi
	size=$(stat -c %s "$1")
	length=$((16#$(tail -c 32 "$1" | head -c 4 | od -An -tx1 | tr -d ' ')))
	tail -c $((40 + length)) "$1" | head -c "$length" >"$1.p7s"
	head -c $((size - 40 - length)) "$1" >"$1.unsigned"
}

# signed_by KO CERTIFICATE HASH: the signature is there, is of that key, and is over all of the module.
signed_by()
{
	local hash
	signature_split "$1" || return 1
	openssl cms -verify -binary -inform DER -in "$1.p7s" -content "$1.unsigned" -certfile "$2" -noverify -out /dev/null || return 1
	hash=$(openssl cms -cmsout -print -inform DER -in "$1.p7s" | awk '/digestAlgorithm:/ { getline; print $2; exit }')
	if [[ $hash != "$3" ]]; then
		echo "$1: signed with $hash instead of $3"
		return 1
	fi
}
