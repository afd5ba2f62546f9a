// Maps, buffers, compression and worker threads over the words of text.txt.
const fs = require('fs');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const count = (text) => {
    const words = new Map();
    for (const word of text.split(/\s+/)) words.set(word, (words.get(word) || 0) + 1);
    return [...words].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 10);
};

if (isMainThread) {
    const text = fs.readFileSync('text.txt', 'utf8');
    console.log(zlib.gunzipSync(zlib.gzipSync(Buffer.from(text))).equals(Buffer.from(text)));
    const parts = [0, 1].map((n) => text.slice((n * text.length) / 2, ((n + 1) * text.length) / 2));
    const runs = parts.map((part) => new Promise((resolve) => {
        new Worker(__filename, { workerData: part }).on('message', resolve);
    }));
    Promise.all(runs).then((all) => console.log(JSON.stringify(all)));
} else {
    parentPort.postMessage(count(workerData));
}
