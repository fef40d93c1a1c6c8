# mailgateway in a container: built in a Swift image, run in a small Debian one.
#
#   docker build -t mailgateway .
#   docker run --rm --network host mailgateway
#   docker run --rm --network host -v ./mailgateway.conf:/etc/mailgateway.conf:ro mailgateway -c /etc/mailgateway.conf
#
# Tried: the package names, the build command and the libraries it links, on Debian 12 without a
# container. Not tried: this file itself, since the machine it was written on has no Docker engine.
#
# Docker's default seccomp profile refuses io_uring; the gateway then uses epoll and says so
# (deploy/seccomp/README.md).

FROM swift:6.3-bookworm AS build
# The same as in scripts/install-packages.
RUN apt-get update \
    && apt-get install -y --no-install-recommends liburing-dev libssl-dev libcrypt-dev libc-ares-dev libmariadb-dev \
        libpam0g-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY Sources Sources
COPY Benchmarks Benchmarks
COPY Tests Tests
RUN swift build -c release --static-swift-stdlib --experimental-lto-mode=full --product mailgateway \
    && strip --strip-unneeded .build/release/mailgateway

FROM debian:bookworm-slim
# What `ldd mailgateway` lists besides the C library.
RUN apt-get update \
    && apt-get install -y --no-install-recommends liburing2 libssl3 libcrypt1 libc-ares2 libmariadb3 libpam0g \
        libpam-modules libstdc++6 libgcc-s1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --user-group --no-create-home --home-dir /run/mailgateway \
        --shell /usr/sbin/nologin mailgateway \
    && install -d -o mailgateway -g mailgateway /run/mailgateway
COPY --from=build /source/.build/release/mailgateway /usr/local/bin/mailgateway
USER mailgateway
# Where a relative pid or error_log is written, as in docs/examples/mailgateway.conf.
WORKDIR /run/mailgateway
ENTRYPOINT ["mailgateway", "run"]
