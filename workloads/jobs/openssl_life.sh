# Encrypts, hashes, signs and reads back text.txt with the key that lies beside it.
set -e
openssl enc -aes-256-cbc -pbkdf2 -S 0123456789abcdef -pass pass:word -in text.txt -out secret
openssl enc -d -aes-256-cbc -pbkdf2 -S 0123456789abcdef -pass pass:word -in secret | cmp - text.txt
for hash in sha256 sha512 sha3-256 blake2b512 md5; do
    openssl dgst -$hash text.txt
done
openssl dgst -sha256 -sign key.pem -out signature text.txt
openssl rsa -in key.pem -pubout -out public.pem
openssl dgst -sha256 -verify public.pem -signature signature text.txt
openssl asn1parse -in key.pem | cksum
openssl crl2pkcs7 -nocrl -certfile certificate.pem | openssl pkcs7 -print_certs -text -noout
openssl prime 170141183460469231731687303715884105727
