import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { reasonOf } from '../../src/cli/reason.ts';

const test = suite('why a server could not be used');

const WITH_TLS = { tls: true, limitMs: 5_000 };
const WITHOUT_TLS = { tls: false, limitMs: 5_000 };

function failed(message: string, code?: string): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

test('of several addresses of one name, the first one tells why', () => {
  const both = new AggregateError([failed('', 'ECONNREFUSED'), failed('', 'EHOSTUNREACH')]);
  assert.is(reasonOf(both, WITHOUT_TLS), 'the connection was refused; no server listens there.');
  assert.is(reasonOf(new AggregateError([], 'none was tried'), WITHOUT_TLS), 'none was tried.');
});

test('no answer has the time that was waited, and with TLS a hint', () => {
  assert.is(reasonOf(failed('Command timed out'), WITHOUT_TLS), 'no answer within 5 s.');
  const hint = 'no answer within 5 s. Without TLS the address begins with redis://';
  assert.is(reasonOf(failed('', 'ETIMEDOUT'), WITH_TLS), hint);
});

test('a right that is lacking is named where the server names it', () => {
  const named = reasonOf(failed("NOPERM User ops has no permissions to run the 'function|load' command"), WITHOUT_TLS);
  assert.match(named, /^this user may not run FUNCTION LOAD\. It needs the rights/);
  assert.is(reasonOf(failed('NOPERM No permissions'), WITHOUT_TLS), 'this user lacks a right.');
  assert.is(
    reasonOf(failed('NOPERM No permissions to access a key'), WITHOUT_TLS),
    'this user may not use the keys of this store.',
  );
  assert.is(
    reasonOf(failed("NOPERM this user has no permissions to run the 'xadd' command"), WITHOUT_TLS),
    'this user may not run XADD. It needs the right +xadd.',
  );
});

test('a closed connection is told from a TLS failure and from a certificate that is not trusted', () => {
  for (const error of [failed('', 'ECONNRESET'), failed('', 'EPIPE'), failed('Connection is closed')]) {
    assert.match(reasonOf(error, WITHOUT_TLS), /^the connection was closed before an answer came\./);
  }
  const other = failed('Hostname/IP does not match', 'ERR_TLS_CERT_ALTNAME_INVALID');
  assert.is(reasonOf(other, WITH_TLS), 'TLS failed: the certificate is for another host name.');
  const plain = failed('0A:error:0B:SSL routines:wrong version number:x.c:1:', 'ERR_SSL_WRONG_VERSION_NUMBER');
  assert.match(reasonOf(plain, WITH_TLS), /^TLS failed: the server does not speak it there\./);
  assert.is(reasonOf(failed('no protocols available', 'EPROTO'), WITH_TLS), 'TLS failed: no protocols available.');
  assert.match(
    reasonOf(failed('self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT'), WITH_TLS),
    /^TLS failed: self-/,
  );
});

test('whatever else went wrong is one short sentence', () => {
  assert.is(reasonOf('thrown as text', WITHOUT_TLS), 'thrown as text.');
  assert.is(reasonOf(failed('ERR no!\nand more'), WITHOUT_TLS), 'ERR no!');
  assert.is(reasonOf(failed('x'.repeat(1_000)), WITHOUT_TLS).length, 301);
});

test.run();
