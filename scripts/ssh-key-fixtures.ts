// Writes test/fixtures/ssh-public-keys.json anew: public keys of all types, with what ssh-keygen says of them.
// Needs ssh-keygen of OpenSSH before 10, which still makes DSA keys. Run: npx tsx scripts/ssh-key-fixtures.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { securityKeyLines } from '../test/ssh-wire.ts';
import { describeKey, makeKey, withSshKeygen } from '../test/system/ssh-keygen.ts';

const accepted: Record<string, string> = {
  ed25519: makeKey('ed25519', null, 'ada@example.com'),
  'ed25519 without a comment': makeKey('ed25519', null, ''),
  'ed25519 with a comment of several words': makeKey('ed25519', null, 'Ключ Ады, 2030 (ноутбук)'),
  'ecdsa nistp256': makeKey('ecdsa', 256, 'ada@example.com'),
  'ecdsa nistp384': makeKey('ecdsa', 384, 'ada@example.com'),
  'ecdsa nistp521': makeKey('ecdsa', 521, 'ada@example.com'),
  'rsa 2048': makeKey('rsa', 2048, 'ada@example.com'),
  'rsa 2050': makeKey('rsa', 2050, 'ada@example.com'),
  'rsa 4096': makeKey('rsa', 4096, 'ada@example.com'),
  'sk-ed25519': securityKeyLines.ed25519('ada@example.com'),
  'sk-ed25519 of another application': securityKeyLines.ed25519('', 'ssh:work'),
  'sk-ecdsa nistp256': securityKeyLines.ecdsa('ada@example.com'),
};

const refused = withSshKeygen((sshKeygen, folder) => {
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  sshKeygen('-q', '-t', 'ed25519', '-N', '', '-C', 'ca', '-f', 'ca');
  sshKeygen('-q', '-t', 'ed25519', '-N', '', '-C', 'ada', '-f', 'ed25519');
  sshKeygen('-q', '-t', 'rsa', '-b', '2048', '-N', '', '-C', 'ada', '-f', 'rsa');
  sshKeygen('-q', '-t', 'dsa', '-N', '', '-C', 'ada', '-f', 'dsa');
  sshKeygen('-q', '-s', 'ca', '-I', 'ada', '-n', 'ada', 'ed25519.pub');
  sshKeygen('-q', '-s', 'ca', '-I', 'ada', '-n', 'ada', 'rsa.pub');
  return {
    dsa: read('dsa.pub'),
    'an ed25519 certificate': read('ed25519-cert.pub'),
    'an rsa certificate': read('rsa-cert.pub'),
    SSH2: sshKeygen('-e', '-m', 'RFC4716', '-f', 'rsa.pub'),
    PKCS8: sshKeygen('-e', '-m', 'PKCS8', '-f', 'rsa.pub'),
    PEM: sshKeygen('-e', '-m', 'PEM', '-f', 'rsa.pub'),
  };
});

const fixtures = {
  accepted: Object.entries(accepted).map(([name, line]) => ({
    name,
    line,
    type: line.split(' ')[0],
    ...describeKey(line),
  })),
  weak: { 'rsa 1024': makeKey('rsa', 1024, 'ada@example.com') },
  refused,
};
writeFileSync('test/fixtures/ssh-public-keys.json', `${JSON.stringify(fixtures, null, 2)}\n`);
