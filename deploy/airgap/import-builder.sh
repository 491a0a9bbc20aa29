#!/bin/sh
# Makes the builder image from this host, for hosts that can pull no image: its own Rust toolchain, the Debian packages
# that a build needs (gcc, make, libc and what they depend on) and exactly the crates of Cargo.lock, so that the build
# asks no registry at all. The compose file and the Dockerfile stay as they are:
#
#   deploy/airgap/import-builder.sh
#   BUILDER=portcullis-builder:local docker-compose up --build
#
# Needs: Debian or a derivative with gcc and make installed, a rustup-style toolchain, a Docker engine.
# Runs again only when one of its inputs has changed; `--force` runs it anyway.
set -eu

IMAGE=${BUILDER_IMAGE:-portcullis-builder:local}
LABEL=portcullis.builder.inputs
# What the Dockerfile calls, plus the shell tools that build scripts expect of a Debian root.
PACKAGES='base-files bash coreutils dash diffutils findutils gawk|mawk gcc grep gzip libc6-dev make sed tar'

say() { printf 'import-builder: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

cd "$(dirname "$0")/../.."
for tool in docker dpkg-query rustc cargo tar; do
    command -v "$tool" >/dev/null || die "$tool is missing on this host"
done
sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')
[ "$sysroot" != /usr ] || die 'the toolchain lies in /usr, mixed with everything else: install one with rustup'
[ -x "$sysroot/bin/cargo" ] || die "no cargo in $sysroot/bin"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# The installed packages that PACKAGES need, transitively: the first installed alternative of each dependency.
dpkg-query -W -f='${db:Status-Status}\t${Package}\t${Version}\t${Pre-Depends},${Depends}\t${Provides}\n' \
    | awk -F '\t' -v wanted="$PACKAGES" '
        function name(text) { sub(/^ +/, "", text); sub(/[ :(\[].*$/, "", text); return text }
        function visit(group,   n, i, options, key) {
            n = split(group, options, "|")
            for (i = 1; i <= n; i++) {
                key = name(options[i])
                if (!(key in version)) key = provider[key]
                if (key == "") continue
                if (!(key in seen)) { seen[key] = 1; queue[++tail] = key }
                return 1
            }
            return 0
        }
        $1 == "installed" {
            version[$2] = $3; depends[$2] = $4
            n = split($5, p, ","); for (i = 1; i <= n; i++) if (!(name(p[i]) in provider)) provider[name(p[i])] = $2
        }
        END {
            n = split(wanted, w, " ")
            for (i = 1; i <= n; i++) if (!visit(w[i])) { print "not installed: " w[i] > "/dev/stderr"; bad = 1 }
            if (bad) exit 1
            for (head = 1; head <= tail; head++) {
                n = split(depends[queue[head]], d, ",")
                for (i = 1; i <= n; i++) if (d[i] ~ /[a-z]/) visit(d[i])
                print queue[head] "\t" version[queue[head]]
            }
        }' > "$work/packages" || die 'install the packages named above'

inputs=$( { cat deploy/airgap/import-builder.sh Cargo.lock "$work/packages"; rustc -vV; cargo -V; } | sha256sum | cut -d' ' -f1)
if [ "${1:-}" != --force ] \
    && [ "$(docker image inspect -f "{{index .Config.Labels \"$LABEL\"}}" "$IMAGE" 2>/dev/null)" = "$inputs" ]; then
    say "$IMAGE is up to date"
    exit 0
fi

# Crates: the packed files of the lock and their index entries, under a Cargo home of their own. Cargo unpacks and checks
# them against the lock's checksums in the build. A host that has built this lock before needs no registry here either.
cargo fetch --locked --quiet 2>"$work/fetch" || cargo fetch --locked --offline --quiet \
    || { cat "$work/fetch" >&2; die 'the crates of Cargo.lock are neither in the cache of this host nor to be had'; }
cargo_home=${CARGO_HOME:-$HOME/.cargo}
mkdir -p "$work/extra/usr/local/cargo/registry" "$work/extra/etc" "$work/extra/root" "$work/extra/tmp"
chmod 1777 "$work/extra/tmp"
printf 'root:x:0:0:root:/root:/bin/sh\n' > "$work/extra/etc/passwd"
printf 'root:x:0:\n' > "$work/extra/etc/group"
awk '/^name = /{ name = $3 } /^version = /{ version = $3 } /^source = "registry/{ gsub(/"/, "", name); gsub(/"/, "", version); print name, version }' \
    Cargo.lock > "$work/crates"
# A mirror has another cache directory than the registry that it stands for: of the host's settings only that replacement
# goes along, never a linker, a wrapper or a token.
for setting in config.toml config; do
    [ ! -f "$cargo_home/$setting" ] || awk '/^\[/{ keep = /^\[source[.]/ } keep' "$cargo_home/$setting"
done > "$work/extra/usr/local/cargo/config.toml"
for cache in "$cargo_home"/registry/cache/*/; do
    registry=$(basename "$cache")
    index=$cargo_home/registry/index/$registry
    target=$work/extra/usr/local/cargo/registry
    [ -f "$index/config.json" ] || continue
    mkdir -p "$target/cache/$registry" "$target/index/$registry"
    cp "$index/config.json" "$target/index/$registry/"
    while read -r name version; do
        [ ! -f "$cache/$name-$version.crate" ] || printf '%s\n' "$name-$version.crate"
    done < "$work/crates" > "$work/crate-files"
    (cd "$cache" && xargs -r cp -t "$target/cache/$registry" -- < "$work/crate-files")
    (cd "$index" && cut -d' ' -f1 "$work/crates" | sort -u | awk '
        { n = tolower($1) }
        length(n) < 3 { print ".cache/" length(n) "/" n; next }
        length(n) == 3 { print ".cache/3/" substr(n, 1, 1) "/" n; next }
        { print ".cache/" substr(n, 1, 2) "/" substr(n, 3, 2) "/" n }' \
        | while read -r entry; do [ ! -f "$entry" ] || printf '%s\n' "$entry"; done \
        | xargs -r cp --parents -t "$target/index/$registry" --)
done
found=$(find "$work/extra/usr/local/cargo/registry/cache" -name '*.crate' | wc -l)
[ "$found" -ge "$(wc -l < "$work/crates")" ] || die "only $found of $(wc -l < "$work/crates") crates found in $cargo_home/registry/cache"

# Files of the packages. On a merged /usr the old names are links and the files are listed under the new ones.
cut -f1 "$work/packages" | xargs dpkg -L 2>/dev/null | grep '^/' \
    | grep -vE '^/usr/share/(doc|doc-base|man|info|locale|lintian|bug|bash-completion|zsh|perl5)(/|$)' > "$work/listed"
if [ -L /bin ]; then
    sed -i -E 's#^/(bin|sbin|lib|lib32|lib64|libx32)(/|$)#/usr/\1\2#' "$work/listed"
    for link in bin sbin lib lib32 lib64 libx32; do
        [ ! -L "/$link" ] || printf '/%s\n' "$link"
    done >> "$work/listed"
fi
sort -u "$work/listed" | while read -r path; do
    if [ -L "$path" ] || [ -f "$path" ]; then printf '%s\n' "${path#/}"; fi
done > "$work/files"
# cc, awk and the like are links through /etc/alternatives, which no package lists.
for link in /usr/bin/*; do
    [ -L "$link" ] || continue
    case $(readlink "$link") in /etc/alternatives/*) ;; *) continue ;; esac
    real=$(readlink -f "$link") || continue
    if grep -qxF "${real#/}" "$work/files"; then
        printf '%s\n' "${link#/}" "etc/alternatives/$(basename "$(readlink "$link")")"
    fi
done > "$work/links"

# The toolchain, without documentation, linters and other targets.
{
    for program in cargo rustc; do printf '%s\n' "$sysroot/bin/$program"; done
    find "$sysroot/lib" -maxdepth 1 -type f
    find "$sysroot/lib/rustlib/$host" \( -type f -o -type l \)
    cat "$work/links"
} | sed 's#^/##' >> "$work/files"

say "importing $(wc -l < "$work/packages") packages, $(rustc -V) and $found crates as $IMAGE"
tar -c --no-recursion --numeric-owner --owner=0 --group=0 --transform "flags=rh;s#^${sysroot#/}/#usr/local/#" -C / -T "$work/files" -f "$work/builder.tar"
tar -r --numeric-owner --owner=0 --group=0 -C "$work/extra" -f "$work/builder.tar" .
docker import \
    --change "LABEL $LABEL=$inputs" \
    --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true' \
    --change 'CMD ["/bin/sh"]' \
    "$work/builder.tar" "$IMAGE" >/dev/null
say "done: BUILDER=$IMAGE docker-compose up --build"
