<CsoundSynthesizer>
<CsOptions>
-d -m0 -o out.wav
</CsOptions>
<CsInstruments>
sr = 22050
ksmps = 64
nchnls = 2
0dbfs = 32768
gisine ftgen 1, 0, 8192, 10, 1
instr 1
  kamp linen p4, 0.01, p3, 0.02
  asig oscili kamp, p5, 1
  outs asig, asig
endin
instr 2
  asig pluck p4, p5, p5, 0, 1
  outs asig, asig
endin
instr 3
  kamp linen p4, 0.02, p3, 0.02
  asig foscili kamp, p5, 1, 2, 3, 1
  adel delay asig, 0.05
  outs asig, adel
endin
instr 4
  Sname sprintf "voice%d", int(p5)
  ilen strlen Sname
  asig vco2 p4, p5
  afil moogladder asig, p5 * 4 + ilen, 0.3
  outs afil, afil
endin
</CsInstruments>
<CsScore>
; notes
e
</CsScore>
</CsoundSynthesizer>
