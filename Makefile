# The commands of mailgateway's developers and first users. `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help run build test check format bench fuzz sanitize clean

# Optimised once more at linking (docs/decisions/0004-release-flags.md).
RELEASE := -c release --static-swift-stdlib --experimental-lto-mode=full
SWIFT_FILES := Package.swift Sources Tests Benchmarks

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## install what is missing, build a release, start the gateway with its demo configuration
	.build/release/mailgateway run

build: ## install what is missing, leave a release at .build/release/mailgateway
	scripts/install-packages run
	swift build $(RELEASE) --product mailgateway

test: ## install what is missing, check the format, build and run every test
	scripts/install-packages test
	$(MAKE) --no-print-directory lint
	swift build --build-tests
	swift test

check: lint ## check the format and build everything, tests included, without running them
	swift build --build-tests

.PHONY: lint
lint:
	swift format lint --strict --parallel --recursive $(SWIFT_FILES)

format: ## format all Swift sources in place
	swift format --in-place --parallel --recursive $(SWIFT_FILES)

bench: ## install what is missing, compare with nginx, HAProxy and Dovecot (takes minutes; leave the machine alone)
	scripts/install-packages bench
	swift build $(RELEASE) --product mailgateway
	swift build $(RELEASE) --product Benchmarks
	.build/release/Benchmarks

FUZZ_ROUNDS ?= 20

fuzz: ## run the fuzz tests again and again, each time with other seeds (FUZZ_ROUNDS=20)
	swift build --build-tests
	for round in $$(seq $(FUZZ_ROUNDS)); do swift test --skip-build --filter FuzzTests || exit 1; done

SANITIZED := --sanitize=address --scratch-path .build/sanitized

sanitize: ## run the unit tests under AddressSanitizer, which also finds what libraries were given and never asked to free
	swift build --build-tests $(SANITIZED)
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/leaks.supp swift test --skip-build $(SANITIZED) \
		--filter 'AsyncIOTests|MailSessionsTests|MailGatewayTests|FuzzTests'

clean: ## remove what was built
	rm -rf .build
