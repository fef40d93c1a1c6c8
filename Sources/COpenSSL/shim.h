#pragma once

// OpenSSL, and as functions what it offers as macros, which Swift does not import. No logic here.

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Contexts.

static inline long copenssl_ctx_set_mode(SSL_CTX *ctx, long mode)
{
    return SSL_CTX_set_mode(ctx, mode);
}

static inline int copenssl_ctx_set_version_range(SSL_CTX *ctx, int minimum, int maximum)
{
    return SSL_CTX_set_min_proto_version(ctx, minimum) == 1 && SSL_CTX_set_max_proto_version(ctx, maximum) == 1;
}

static inline int copenssl_ctx_set_groups(SSL_CTX *ctx, const char *groups)
{
    return (int)SSL_CTX_set1_groups_list(ctx, groups);
}

static inline int copenssl_ctx_set_dh(SSL_CTX *ctx, EVP_PKEY *parameters)
{
    return SSL_CTX_set0_tmp_dh_pkey(ctx, parameters);
}

static inline int copenssl_ctx_add_chain_certificate(SSL_CTX *ctx, X509 *certificate)
{
    return (int)SSL_CTX_add1_chain_cert(ctx, certificate);
}

// Certificates are compressed beforehand (RFC 8879); 0 where this OpenSSL cannot.
static inline int copenssl_ctx_compress_certificates(SSL_CTX *ctx)
{
#ifdef TLSEXT_comp_cert_none
    return SSL_CTX_compress_certs(ctx, TLSEXT_comp_cert_none);
#else
    (void)ctx;
    return 0;
#endif
}

static inline void copenssl_ctx_set_cache(SSL_CTX *ctx, long mode, long size, long timeout)
{
    SSL_CTX_set_session_cache_mode(ctx, mode);
    if (size > 0) SSL_CTX_sess_set_cache_size(ctx, size);
    SSL_CTX_set_timeout(ctx, timeout);
}

static inline void copenssl_ctx_set_object(SSL_CTX *ctx, void *object)
{
    SSL_CTX_set_app_data(ctx, object);
}

static inline void *copenssl_ctx_object(const SSL_CTX *ctx)
{
    return SSL_CTX_get_app_data(ctx);
}

// Connections.

static inline int copenssl_set_server_name(SSL *ssl, const char *name)
{
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

// A reference to our key of the key exchange, or to the peer's; NULL where there is none any more.
static inline EVP_PKEY *copenssl_own_exchange_key(SSL *ssl)
{
    EVP_PKEY *key = NULL;
    return SSL_get_tmp_key(ssl, &key) == 1 ? key : NULL;
}

static inline EVP_PKEY *copenssl_peer_exchange_key(SSL *ssl)
{
    EVP_PKEY *key = NULL;
    return SSL_get_peer_tmp_key(ssl, &key) == 1 ? key : NULL;
}

static inline const char *copenssl_cipher_name(const SSL *ssl)
{
    return SSL_get_cipher_name(ssl);
}

// BIOs.

static inline void copenssl_bio_retry_read(BIO *bio)
{
    BIO_clear_retry_flags(bio);
    BIO_set_retry_read(bio);
}

static inline void copenssl_bio_clear_retry(BIO *bio)
{
    BIO_clear_retry_flags(bio);
}

static inline long copenssl_bio_memory(BIO *bio, char **bytes)
{
    return BIO_get_mem_data(bio, bytes);
}

static inline BIO *copenssl_bio_secure_memory(void)
{
    return BIO_new(BIO_s_secmem());
}

// Errors.

static inline int copenssl_error_reason(unsigned long code) { return ERR_GET_REASON(code); }
static inline int copenssl_error_library(unsigned long code) { return ERR_GET_LIB(code); }

// Constants that are expressions.

static const uint64_t copenssl_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
static const uint64_t copenssl_no_compression = SSL_OP_NO_COMPRESSION;
static const uint64_t copenssl_no_ticket = SSL_OP_NO_TICKET;
static const uint64_t copenssl_cleanse_plaintext = SSL_OP_CLEANSE_PLAINTEXT;
static const uint64_t copenssl_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t copenssl_prioritize_chacha = SSL_OP_PRIORITIZE_CHACHA;
static const uint64_t copenssl_ignore_unexpected_eof = SSL_OP_IGNORE_UNEXPECTED_EOF;
static const uint64_t copenssl_no_versions = SSL_OP_NO_SSL_MASK;
static const uint64_t copenssl_no_tls1 = SSL_OP_NO_TLSv1;
static const uint64_t copenssl_no_tls1_1 = SSL_OP_NO_TLSv1_1;
static const uint64_t copenssl_no_tls1_2 = SSL_OP_NO_TLSv1_2;
static const uint64_t copenssl_no_tls1_3 = SSL_OP_NO_TLSv1_3;
static const unsigned long copenssl_name_rfc2253 = XN_FLAG_RFC2253;

// Gives a MAC its key, with SHA-256. (Parameters refer to their names, which Swift's strings do not outlive.)
static inline int copenssl_mac_set_key(EVP_MAC_CTX *mac, const void *key, size_t count)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[3];
    parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, count);
    parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    parameters[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, parameters);
}

// Gives a MAC the digest that it works with.
static inline int copenssl_mac_set_digest(EVP_MAC_CTX *mac, const char *digest)
{
    OSSL_PARAM parameters[2];
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0);
    parameters[1] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, parameters);
}
