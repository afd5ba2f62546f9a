// A made-up shop's pictures and orders: many buffers are kept, compressed on the pool of threads,
// hashed and searched; workers sort and answer.
const { Worker, isMainThread, parentPort } = require('worker_threads');
const zlib = require('zlib');
const crypto = require('crypto');

function noise(seed, length) {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i += 4) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        bytes.writeUInt32LE(seed % 64, i > length - 4 ? length - 4 : i);
    }
    return bytes;
}

if (!isMainThread) {
    parentPort.on('message', ({ number, bytes }) => {
        const words = Buffer.from(bytes).toString('latin1').match(/[ -~]{1,9}/g) || [];
        words.sort();
        parentPort.postMessage({ number, count: words.length });
        if (number < 0) parentPort.close();
    });
} else {
    const pictures = [];
    for (let i = 0; i < 1200; i++) pictures.push(noise(i, 100000 + (i * 7919) % 200000));
    const workers = [new Worker(__filename), new Worker(__filename)];
    let answers = 0, packed = 0, total = 0;
    workers.forEach((w) => w.on('message', (m) => { answers += m.count; }));
    let at = 0;
    function next() {
        if (at === pictures.length) return;
        const picture = pictures[at++];
        zlib.deflate(picture.subarray(0, 20000), { level: 1 }, (error, out) => {
            total += out.length;
            packed++;
            crypto.createHash('sha1').update(out).digest('hex');
            zlib.inflate(out, () => {});
            if (packed % 3 === 0)
                workers[packed % 2].postMessage({ number: packed, bytes: picture.subarray(0, 5000) });
            if (packed === pictures.length) {
                workers.forEach((w) => w.postMessage({ number: -1, bytes: picture.subarray(0, 10) }));
                console.log(packed, total > 0);
            }
            next();
        });
    }
    for (let i = 0; i < 8; i++) next();
}
