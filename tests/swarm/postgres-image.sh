#!/bin/sh
# Makes a PostgreSQL image from the programs that are installed on this host, for hosts that can pull none: the server,
# its libraries and a start script that knows of the official image's variables only those that deploy/swarm/stack.yml sets.
#
#   tests/swarm/postgres-image.sh IMAGE
#
# Says why and ends with 1 where that can't be done.
set -eu

image=$1
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$programs" ] || { echo 'PostgreSQL is not installed on this host'; exit 1; }
version=$(basename "$(dirname "$programs")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
root=$work/root

# A program with every library that it names.
add() { # PATH...
    for file in "$@"; do
        printf '%s\n' "$file"
        ldd "$file" 2>/dev/null | grep -oE '/[^ ]+' || :
    done
}

modules=/usr/lib/postgresql/$version/lib
tools='sh mkdir cat chmod id'
{
    add "$programs/postgres" "$programs/initdb" "$programs/psql" "$programs/pg_isready" "$modules/plpgsql.so" "$modules/dict_snowball.so"
    for tool in $tools; do add "$(command -v "$tool")"; done
    find "/usr/share/postgresql/$version" -type f ! -path '*/man/*' ! -path '*/extension/*'
    find "/usr/share/postgresql/$version/extension" -name 'plpgsql*'
    printf '%s\n' /usr/share/zoneinfo/Etc/UTC /usr/share/zoneinfo/UTC
} | sort -u > "$work/files"
mkdir -p "$root/etc" "$root/tmp" "$root/var/lib/postgresql/data" "$root/var/run/postgresql" "$root/usr/local/bin"
# Links are followed: what is named by a link is there under that name.
sed 's#^/##' "$work/files" | tar -c -h -C / -T - -f "$work/files.tar"
tar -x -C "$root" -f "$work/files.tar"
[ -e "$root/bin/sh" ] || { mkdir -p "$root/bin" && ln -s /usr/bin/sh "$root/bin/sh"; }

printf 'root:x:0:0::/:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\npostgres:x:999:\n' > "$root/etc/group"
cat > "$root/usr/local/bin/start" <<'END'
#!/bin/sh
# Makes the cluster and the database at the first start; they are there as a whole or not at all.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256 --locale=C -E UTF8
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$PGDATA" postgres
fi
exec postgres -D "$PGDATA" -c listen_addresses='*'
END
chmod 755 "$root/usr/local/bin/start"
chmod 1777 "$root/tmp"
chown -R 999:999 "$root/var/lib/postgresql" "$root/var/run/postgresql" 2>/dev/null || { echo 'only root can give files to another user'; exit 1; }
chmod 700 "$root/var/lib/postgresql/data"

tar -c --numeric-owner -C "$root" . | docker import \
    --change "ENV PATH=$programs:/usr/local/bin:/usr/bin:/bin" \
    --change 'USER 999:999' \
    --change 'CMD ["/usr/local/bin/start"]' \
    - "$image" >/dev/null
