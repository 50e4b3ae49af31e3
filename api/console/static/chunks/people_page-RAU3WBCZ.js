import{g as o,h as e}from"./chunk-XC32AUWM.js";import"./chunk-VC46IEJQ.js";function r(){return e("h1",{children:o.pages.people})}export{r as PeoplePage};
