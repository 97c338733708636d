#!/bin/sh
# Lays a newer openssl (3.6 or later, from Debian's development release) into a folder of its own,
# beside the system's, and prints the path of a wrapper that runs it. Nothing is installed.
# The CMS tests use it as the outside judge of ML-KEM recipients: LEADAPRON_OPENSSL=<that path>.
# Usage: scripts/newer_openssl.sh DIR        (needs apt-get and the machine's own mirror)
set -eu
dir=${1:?usage: scripts/newer_openssl.sh DIR}
mkdir -p "$dir" && dir=$(cd "$dir" && pwd)
if [ -x "$dir/openssl" ] && "$dir/openssl" version >/dev/null 2>&1; then
    echo "$dir/openssl"
    exit 0
fi
mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' |
    awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
[ -n "$mirror" ] || { echo "no Debian mirror is configured here" >&2; exit 1; }
mkdir -p "$dir/apt/lists/partial" "$dir/apt/archives/partial" "$dir/debs" "$dir/tree"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring] $mirror sid main" >"$dir/apt/sources.list"
: >"$dir/apt/status"
cat >"$dir/apt/conf" <<EOF
Dir::State "$dir/apt";
Dir::State::lists "$dir/apt/lists";
Dir::State::status "$dir/apt/status";
Dir::Cache "$dir/apt";
Dir::Etc::sourcelist "$dir/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferencesparts "-";
APT::Sandbox::User "root";
EOF
export APT_CONFIG="$dir/apt/conf"
apt-get -qq update >&2
(cd "$dir/debs" && apt-get -qq download openssl libssl3t64 libc6 zlib1g libzstd1 >&2)
for package in "$dir"/debs/*.deb; do dpkg-deb -x "$package" "$dir/tree"; done
libraries=$(dirname "$(find "$dir/tree" -name libcrypto.so.3 | head -n 1)")
loader=$(find "$dir/tree" -name 'ld-linux*.so.*' -type f | head -n 1)
cat >"$dir/openssl" <<EOF
#!/bin/sh
OPENSSL_MODULES="$libraries/ossl-modules" OPENSSL_CONF=/dev/null \\
    exec "$loader" --library-path "$libraries" "$dir/tree/usr/bin/openssl" "\$@"
EOF
chmod +x "$dir/openssl"
"$dir/openssl" version >&2
rm -rf "$dir/debs" "$dir/apt"
echo "$dir/openssl"
